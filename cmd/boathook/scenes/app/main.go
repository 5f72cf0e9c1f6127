// Command app is the fixture of the end-to-end scripts: each mode is a way in which an app behaves.
package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// boot is another one in every process, so that a scene can tell whether it still talks to the same.
var boot = rand.Text()

func main() {
	mode := append(os.Args[1:], "")[0]
	switch mode {
	case "web":
		serve()
	case "worker": // lives until SIGTERM
		fmt.Println("worker started", boot)
		wait()
	case "tick": // counts, fast enough that something is always said while nobody listens
		for i := 1; ; i++ {
			fmt.Println("tick", i)
			time.Sleep(10 * time.Millisecond)
		}
	case "flood": // prints 6 MB a second, in lines so long that even a slow reader takes more than a MiB of them
		for i := 0; ; i++ {
			fmt.Printf("%07999d\n", i)
			if i%4 == 3 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	case "deaf": // lives, but never listens
		fmt.Println("not listening")
		wait()
	case "crash":
		fmt.Println("cannot connect to the database")
		os.Exit(3)
	case "env": // prints its environment, a variable a line
		env := os.Environ()
		slices.Sort(env)
		fmt.Println(strings.Join(env, "\n"))
	case "env-sums":
		fmt.Print(sums())
	case "hang": // a hook that never ends
		fmt.Println("hanging")
		wait()
	case "smoke": // asks the version that it is the hook of
		smoke()
	case "wait-for": // prints, then waits until the web side has been told to go on
		fmt.Println("first line")
		for {
			if _, err := os.Stat(os.Args[2]); err == nil {
				fmt.Println("second line")
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	default:
		log.Fatalf("unknown mode %q", mode)
	}
}

// sums is the environment with a digest in place of each value, so that a transcript can be compared that masks values.
func sums() string {
	var b strings.Builder
	env := os.Environ()
	slices.Sort(env)
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		fmt.Fprintf(&b, "SUM %s %x\n", name, sha256.Sum256([]byte(value)))
	}
	return b.String()
}

func smoke() {
	resp, err := http.Get(os.Getenv("BOATHOOK_NEW_URL") + "/")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		log.Fatal(err)
	}
}

func wait() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}

// listen prints the signals that come and end nothing.
func listen() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1)
	for range signals {
		fmt.Println("got USR1")
	}
}

// hold says at once who answers, and which version when the request's body has ended.
func hold(w http.ResponseWriter, r *http.Request) {
	answer := http.NewResponseController(w)
	fmt.Fprintln(w, os.Getenv("CONTAINER"))
	if err := errors.Join(answer.EnableFullDuplex(), answer.Flush()); err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		log.Print(err)
		return
	}
	text, err := os.ReadFile("VERSION")
	if err != nil {
		log.Fatal(err)
	}
	w.Write(text)
}

func serve() {
	go listen() // until the process ends
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		text, err := os.ReadFile("VERSION")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(text)
	})
	http.HandleFunc("/held", hold)
	http.HandleFunc("/boot", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, boot) })
	http.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		env := os.Environ()
		slices.Sort(env)
		fmt.Fprintln(w, strings.Join(env, "\n"))
	})
	http.HandleFunc("/env-sums", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, sums()) })
	http.HandleFunc("/file/", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, strings.TrimPrefix(r.URL.Path, "/file/"))
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
