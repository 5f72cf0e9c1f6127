package deploy

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func silent(string) {}

func TestQueueLetsOnePerAppIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		leave, err := q.enter(t.Context(), "shop", "alice", "deployment 1 of alice", silent)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		var entered []string
		wait := func(name string) {
			leave, err := q.enter(t.Context(), "shop", "alice", name, func(line string) { told = append(told, name+": "+line) })
			if err != nil {
				t.Error(err)
				return
			}
			entered = append(entered, name)
			leave()
		}
		go wait("second")
		synctest.Wait()
		go wait("third")
		synctest.Wait()
		if len(entered) != 0 {
			t.Fatalf("entered while the app was taken: %v", entered)
		}
		leave()
		synctest.Wait()
		if diff := cmp.Diff([]string{"second", "third"}, entered); diff != "" {
			t.Error(diff)
		}
		want := []string{
			"second: Waiting for deployment 1 of alice to finish, place 1 in the queue of shop...",
			"third: Waiting for deployment 1 of alice to finish, place 2 in the queue of shop...",
		}
		if diff := cmp.Diff(want, told[:2]); diff != "" {
			t.Error(diff)
		}
		if len(q.tickets) != 0 {
			t.Errorf("%d tickets left in the queue", len(q.tickets))
		}
	})
}

func TestQueueLimitsAnOwnerNotOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1)
		leave, err := q.enter(t.Context(), "shop", "alice", "1", silent)
		if err != nil {
			t.Fatal(err)
		}
		entered := false
		go func() {
			leave, err := q.enter(t.Context(), "blog", "alice", "2", silent)
			if err != nil {
				t.Error(err)
				return
			}
			entered = true
			leave()
		}()
		synctest.Wait()
		if entered {
			t.Error("a second deployment of the same owner was let in over the limit")
		}
		leaveBob, err := q.enter(t.Context(), "wiki", "bob", "3", silent)
		if err != nil {
			t.Fatal(err)
		}
		leaveBob()
		leave()
		synctest.Wait()
		if !entered {
			t.Error("the waiting deployment was not let in")
		}
	})
}

func TestQueueForgetsWhoGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10)
		leave, err := q.enter(t.Context(), "shop", "alice", "1", silent)
		if err != nil {
			t.Fatal(err)
		}
		gone := errors.New("client gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := q.enter(ctx, "shop", "alice", "2", silent)
			result <- err
		}()
		synctest.Wait()
		cancel(gone)
		if err := <-result; !errors.Is(err, gone) {
			t.Errorf("got %v, want the cause %v", err, gone)
		}
		leave()
		leave, err = q.enter(t.Context(), "shop", "alice", "3", silent)
		if err != nil {
			t.Fatal(err)
		}
		leave()
	})
}
