// Package local is a [runner.Engine] of plain host processes: what boathook runs
// where no container engine answers.
//
// It isolates nothing. Every process is the same user as boathook, sees the
// host's files, network and processes, and has no limit on memory, processes or
// CPU: [runner.Limits] are accepted and ignored. It is for trying things and for
// machines of one trusted user.
//
// An image is a directory. Each instance owns a directory of its own below
// Config.Dir:
//
//	lock                        held while an Engine is open
//	instances/ID/instance.json  the record, see record
//	instances/ID/app/           its copy of the image: working directory and HOME
//	instances/ID/tmp/           TMPDIR
//	instances/ID/output         stdout and stderr, see output
//
// # What an instance's processes are
//
// The main process leads its own session and process group, and is the one that
// gets SIGTERM when the instance is removed. An instance ends with it: what is left of its session is killed, and so is every process whose
// environment names the instance's TMPDIR, which finds what has called setsid. A
// process that starts a session of its own and clears its environment as well is
// not found and stays. On systems without /proc only the process group is
// ended.
//
// Processes outlive boathook: the next Engine on the same directory adopts what
// still runs. Under systemd this needs KillMode=process. The exit code of an
// adopted process cannot be known and reads -1.
package local
