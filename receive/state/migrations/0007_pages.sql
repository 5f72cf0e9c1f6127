-- Maintenance, and the pages that the router shows in the place of an app.

ALTER TABLE apps ADD COLUMN maintenance INTEGER NOT NULL DEFAULT 0; -- 1: the router lets no request through

CREATE TABLE pages (
  app     TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE ON UPDATE CASCADE,
  purpose TEXT NOT NULL, -- error or maintenance
  html    TEXT NOT NULL, -- UTF-8
  PRIMARY KEY (app, purpose)
);
