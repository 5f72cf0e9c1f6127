package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"boathook/runner"
)

// adopt takes over what the directory holds: instances that run go on, the others have ended with an unknown exit code unless
// it was recorded, and what was never finished is deleted.
func (e *Engine) adopt() error {
	root := filepath.Join(e.cfg.Dir, "instances")
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := filepath.Join(root, entry.Name())
		rec, err := readRecord(dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = e.clear(dir)
		} else if err == nil {
			err = e.adoptInstance(dir, rec)
		}
		if err != nil {
			return fmt.Errorf("adopt %s: %w", entry.Name(), err)
		}
	}
	return nil
}

// clear deletes the directory of an instance whose making or removal was not finished.
func (e *Engine) clear(dir string) error {
	i := e.newInstance(dir, record{})
	killStrays(0, i.marks())
	return removeTree(dir)
}

func (e *Engine) adoptInstance(dir string, rec record) error {
	i := e.newInstance(dir, rec)
	if err := i.out.recover(); err != nil {
		return err
	}
	p := adoptProcess(rec.PID, rec.ProcessID, i.marks())
	e.mu.Lock()
	i.proc = p
	e.instances[rec.ID] = i
	if rec.Port != 0 {
		e.ports[rec.Port] = true
	}
	e.mu.Unlock()
	if p == nil {
		// Boathook may have died between starting a process and recording it.
		killStrays(0, i.marks())
		if rec.Phase == runner.Running || rec.Phase == runner.Pending {
			e.exited(i, -1)
		}
	}
	e.watchOver(i, p)
	return nil
}
