-- Keys that end by themselves, keys for one app only, and where a key was used last; tokens.

ALTER TABLE keys ADD COLUMN last_from TEXT NOT NULL DEFAULT ''; -- an address, without the port
ALTER TABLE keys ADD COLUMN expires INTEGER NOT NULL DEFAULT 0; -- 0 never
ALTER TABLE keys ADD COLUMN app TEXT REFERENCES apps(name) ON DELETE CASCADE ON UPDATE CASCADE; -- NULL: all that the user may
CREATE INDEX keys_by_app ON keys (app);

CREATE TABLE tokens (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  user      TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,
  name      TEXT NOT NULL,
  hash      BLOB NOT NULL, -- SHA-256 of the secret, which is random: nothing slower is needed
  added     INTEGER NOT NULL,
  last_used INTEGER NOT NULL DEFAULT 0,
  expires   INTEGER NOT NULL DEFAULT 0, -- 0 never
  UNIQUE (user, name)
);
