-- Domains of apps, and what the router does with requests to them.

CREATE TABLE domains (
  host  TEXT PRIMARY KEY, -- ASCII, lower case; "*.example.com" stands for any one label
  app   TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE ON UPDATE CASCADE,
  added INTEGER NOT NULL
);
CREATE INDEX domains_by_app ON domains (app);

ALTER TABLE apps ADD COLUMN canonical TEXT NOT NULL DEFAULT ''; -- one of its hosts, to which the others redirect
ALTER TABLE apps ADD COLUMN force_https INTEGER NOT NULL DEFAULT 0;
ALTER TABLE apps ADD COLUMN sticky INTEGER NOT NULL DEFAULT 0;
