package router

import (
	"errors"
	"net"
	"testing"
	"time"
)

// TestWary writes to a connection that its other side has closed after an answer: nothing is sent, whoever else has noticed.
func TestWary(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := &wary{Conn: conn}
	defer w.Close()
	other, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 2)
	for range 2 {
		for range 2 { // a request in two parts
			if _, err := w.Write([]byte("hi")); err != nil {
				t.Fatal(err)
			}
			if _, err := other.Read(message); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := other.Write([]byte("ok")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Read(message); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); peek(conn) != ended; {
		if time.Now().After(deadline) {
			t.Fatal("the end does not arrive")
		}
	}
	if n, err := w.Write([]byte("hi")); n != 0 || !errors.Is(err, errStale) {
		t.Errorf("%d, %v", n, err)
	}
}
