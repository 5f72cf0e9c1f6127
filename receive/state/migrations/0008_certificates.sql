-- Own certificates of domains, which go before those obtained by ACME.

CREATE TABLE certificates (
  host  TEXT PRIMARY KEY REFERENCES domains(host) ON DELETE CASCADE,
  chain TEXT NOT NULL, -- in PEM, the host's first
  key   BLOB NOT NULL, -- in PEM, sealed as variables are (see vault.go)
  added INTEGER NOT NULL
);
