package builder

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/docker/docker/client"
)

// What the engine answers to the removal of an image, and then to the question whether it is there.
func TestRemoveImageTwice(t *testing.T) {
	for _, test := range []struct {
		name            string
		removed, looked int
		fails           bool
	}{
		{"removed", http.StatusOK, http.StatusNotFound, false},
		{"not there", http.StatusNotFound, http.StatusNotFound, false},
		{"gone meanwhile", http.StatusInternalServerError, http.StatusNotFound, false},
		{"still there", http.StatusInternalServerError, http.StatusOK, true},
		{"in use", http.StatusConflict, http.StatusOK, true},
		{"out of order", http.StatusInternalServerError, http.StatusInternalServerError, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				status, body := test.looked, "{}"
				if r.Method == http.MethodDelete {
					status, body = test.removed, "[]"
				}
				if status != http.StatusOK {
					body = `{"message":"unrecognized image ID sha256:1"}`
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			}))
			defer engine.Close()
			api, err := client.NewClientWithOpts(client.WithHost("tcp://"+strings.TrimPrefix(engine.URL, "http://")), client.WithVersion("1.44"))
			if err != nil {
				t.Fatal(err)
			}
			defer api.Close()
			if err := removeImage(t.Context(), api, "sha256:1"); (err != nil) != test.fails {
				t.Errorf("removing: %v", err)
			}
		})
	}
}
