-- Times are Unix microseconds, UTC. Ids are never used again (AUTOINCREMENT): they name releases on the engine.

CREATE TABLE users (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  name    TEXT NOT NULL UNIQUE,
  admin   INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL
);

CREATE TABLE keys (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  user        TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
  name        TEXT NOT NULL,
  type        TEXT NOT NULL,
  fingerprint TEXT NOT NULL UNIQUE,
  blob        BLOB NOT NULL UNIQUE, -- the public key as in RFC 4253, 6.6
  added       INTEGER NOT NULL,
  last_used   INTEGER NOT NULL DEFAULT 0,
  UNIQUE (user, name)
);

CREATE TABLE apps (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  name    TEXT NOT NULL UNIQUE,
  owner   TEXT NOT NULL REFERENCES users(name) ON DELETE RESTRICT,
  live    INTEGER NOT NULL DEFAULT 0, -- deployment that serves, 0 none
  created INTEGER NOT NULL
);

CREATE TABLE collaborators (
  app  TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,
  user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
  role TEXT NOT NULL,
  PRIMARY KEY (app, user)
);

CREATE TABLE variables (
  app   TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,
  name  TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (app, name)
);

CREATE TABLE formation (
  app     TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,
  type    TEXT NOT NULL,
  command TEXT NOT NULL,
  amount  INTEGER NOT NULL,
  size    TEXT NOT NULL,
  PRIMARY KEY (app, type)
);

CREATE TABLE deployments (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  app      TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,
  status   TEXT NOT NULL,
  ref      TEXT NOT NULL,
  sha      TEXT NOT NULL,
  pusher   TEXT NOT NULL,
  reason   TEXT NOT NULL DEFAULT '',
  image    TEXT NOT NULL DEFAULT '', -- as the engine names it; it may be gone, see releases
  created  INTEGER NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX deployments_by_app ON deployments (app, id DESC);

CREATE TABLE transitions (
  deployment INTEGER NOT NULL REFERENCES deployments(id) ON DELETE CASCADE,
  status     TEXT NOT NULL,
  at         INTEGER NOT NULL
);
CREATE INDEX transitions_by_deployment ON transitions (deployment);

CREATE TABLE phases (
  deployment INTEGER NOT NULL REFERENCES deployments(id) ON DELETE CASCADE,
  phase      TEXT NOT NULL,
  duration   INTEGER NOT NULL, -- nanoseconds
  PRIMARY KEY (deployment, phase)
);

CREATE TABLE logs (
  deployment INTEGER NOT NULL REFERENCES deployments(id) ON DELETE CASCADE,
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  chunk      BLOB NOT NULL
);
CREATE INDEX logs_by_deployment ON logs (deployment, seq);

CREATE TABLE releases (
  deployment INTEGER PRIMARY KEY REFERENCES deployments(id) ON DELETE CASCADE,
  app        TEXT NOT NULL,
  sha        TEXT NOT NULL,
  image      TEXT NOT NULL,
  stack      TEXT NOT NULL,
  launcher   TEXT NOT NULL, -- JSON array
  types      TEXT NOT NULL, -- JSON object
  size       INTEGER NOT NULL,
  created    INTEGER NOT NULL
);

CREATE TABLE audit (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  at          INTEGER NOT NULL,
  user        TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  remote      TEXT NOT NULL,
  app         TEXT NOT NULL,
  action      TEXT NOT NULL,
  result      TEXT NOT NULL
);
