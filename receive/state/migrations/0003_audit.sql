-- Before this one runs, the program has rewritten the file: no free page remembers a value from before 0002.

-- Which bound an entry counts against (see audit.go): 0 changes, 1 refusals, 2 refusals of strangers.
ALTER TABLE audit ADD COLUMN class INTEGER NOT NULL DEFAULT 0;
UPDATE audit SET class = 1 WHERE result <> 'ok';
CREATE INDEX audit_by_class ON audit (class, id);
CREATE INDEX audit_by_app ON audit (app, id);
