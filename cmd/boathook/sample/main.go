// Command sample is the app of `boathook demo`: one program with a web process, a worker and a migration.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case "web":
		web()
	case "worker":
		worker()
	case "migrate":
		migrate()
	default:
		log.Fatal("usage: sample web|worker|migrate")
	}
}

// web answers with the text of VERSION until SIGTERM, then finishes its requests.
func web() {
	text, err := os.ReadFile("VERSION")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s, answered by %s\n", strings.TrimSpace(string(text)), os.Getenv("CONTAINER"))
	})}
	log.Print("listening on port ", os.Getenv("PORT"))
	log.Fatal(server.ListenAndServe())
}

func worker() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	for {
		select {
		case <-stop:
			log.Print("worker stops")
			return
		case <-time.After(5 * time.Second):
			log.Print("worker at work")
		}
	}
}

// migrate stands for what a real app does to its database.
func migrate() {
	for _, step := range []string{"CreateUsers", "AddEmailToUsers"} {
		fmt.Printf("== %s: migrating\n", step)
		if len(os.Args) > 2 && os.Args[2] == step {
			fmt.Printf("== %s: table is locked by another session\n", step)
			os.Exit(1)
		}
		fmt.Printf("== %s: migrated\n", step)
	}
}
