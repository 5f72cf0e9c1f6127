package local

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"boathook/runner"
)

// recordVersion is the version of the record's format that this code writes and reads.
const recordVersion = 1

// record is what an instance's directory says of it: instance.json, mode 0600 as it holds the app's
// variables. It is written before the process is started (PID 0) and at every change, so
// that a later Engine can adopt the instance.
type record struct {
	Version int `json:"version"`
	runner.Group
	ID       string            `json:"id"`
	Number   int               `json:"number"`
	Image    string            `json:"image"`
	Argv     []string          `json:"argv"`
	Env      map[string]string `json:"env"`
	WantPort bool              `json:"want_port"`
	OneOff   bool              `json:"one_off"` // made by Run

	PID       int          `json:"pid"`        // also its process group and session; 0 before the first start
	ProcessID string       `json:"process_id"` // tells this process from a later one with the same PID, see identity
	Port      int          `json:"port"`       // 0 without one
	Phase     runner.Phase `json:"phase"`
	ExitCode  int          `json:"exit_code"`
	Started   time.Time    `json:"started"`
	Restarts  int          `json:"restarts"`
	Keep      bool         `json:"keep"`
}

// readRecord reads the record of an instance's directory.
func readRecord(dir string) (record, error) {
	var r record
	data, err := os.ReadFile(filepath.Join(dir, "instance.json"))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s/instance.json: %w", dir, err)
	}
	if r.Version != recordVersion {
		return r, fmt.Errorf("%s/instance.json has version %d, this boathook reads %d", dir, r.Version, recordVersion)
	}
	return r, nil
}

// write replaces the record of dir, so that a crash leaves the old one or the new one.
func (r record) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("instance record: %w", err)
	}
	path := filepath.Join(dir, "instance.json")
	if err := writeSynced(path+".new", append(data, '\n')); err != nil {
		return fmt.Errorf("instance record: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("instance record: %w", err)
	}
	return syncDir(dir)
}

func writeSynced(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("instance record: %w", err)
	}
	defer func() {
		if cerr := d.Close(); err == nil {
			err = cerr
		}
	}()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("instance record: %w", err)
	}
	return nil
}
