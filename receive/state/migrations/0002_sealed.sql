-- Values are sealed from here on (see vault.go). Those that are there, the program seals in the same transaction; then it
-- drops plain_variables.
ALTER TABLE variables RENAME TO plain_variables;

CREATE TABLE variables (
  app   TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,
  name  TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (app, name)
);
