package router

import "bytes"

// hostKey is the form of a host in the table: lower case, without port and final dot. "Shop.Example.COM.:8080" is
// "shop.example.com", "[::1]:80" is "::1". Names are ASCII; other letters keep their case.
func hostKey(host string) string { return string(appendHostKey(nil, []byte(host))) }

// appendHostKey appends the key of host to key.
func appendHostKey(key, host []byte) []byte {
	for _, c := range bytes.TrimSuffix(withoutPort(host), []byte(".")) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		key = append(key, c)
	}
	return key
}

// withoutPort takes ":8080" off, and the brackets of an IPv6 address. What has several colons and no brackets is an address by
// itself.
func withoutPort(host []byte) []byte {
	if len(host) > 0 && host[0] == '[' {
		if end := bytes.IndexByte(host, ']'); end > 0 {
			return host[1:end]
		}
		return host
	}
	if i := bytes.IndexByte(host, ':'); i >= 0 && bytes.IndexByte(host[i+1:], ':') < 0 {
		return host[:i]
	}
	return host
}
