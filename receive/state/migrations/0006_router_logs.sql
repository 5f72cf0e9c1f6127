-- 1: the router's records of requests are put into the app's log.
ALTER TABLE apps ADD COLUMN router_logs INTEGER NOT NULL DEFAULT 0;
