package gitpack

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// holds tells whether one of the quarantine's own packs contains the object.
func (q *quarantine) holds(id string) (bool, error) {
	name, err := hex.DecodeString(id)
	if err != nil || len(name) != 20 {
		return false, fmt.Errorf("object id %q", id)
	}
	indexes, err := filepath.Glob(filepath.Join(q.dir, "objects/pack/*.idx"))
	if err != nil {
		return false, err
	}
	for _, index := range indexes {
		if found, err := indexHolds(index, [20]byte(name)); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// indexHolds looks an object up in a pack index of version 2 (gitformat-pack(5)): 8 bytes of header, 256 big-endian counts of the
// objects whose first byte is at most the count's number, then the sorted names of 20 bytes each.
func indexHolds(path string, name [20]byte) (found bool, err error) {
	const header, fanout = 8, 256 * 4
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, header+fanout)
	if _, err := io.ReadFull(file, head); err != nil {
		return false, fmt.Errorf("pack index: %w", err)
	}
	if string(head[:4]) != "\xfftOc" || binary.BigEndian.Uint32(head[4:]) != 2 {
		return false, errors.New("pack index: not of version 2")
	}
	count := func(b int) int {
		if b < 0 {
			return 0
		}
		return int(binary.BigEndian.Uint32(head[header+4*b:]))
	}
	from, to := count(int(name[0])-1), count(int(name[0]))
	if from >= to {
		return false, nil
	}
	names := make([]byte, 20*(to-from))
	if _, err := file.ReadAt(names, int64(header+fanout+20*from)); err != nil {
		return false, fmt.Errorf("pack index: %w", err)
	}
	at := sort.Search(to-from, func(i int) bool { return string(names[20*i:20*i+20]) >= string(name[:]) })
	return at < to-from && string(names[20*at:20*at+20]) == string(name[:]), nil
}
