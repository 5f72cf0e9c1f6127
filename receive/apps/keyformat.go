package apps

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

const minRSABits = 2048

// ParseKey reads one public key as OpenSSH writes it, and refuses what SPEC does not allow.
func ParseKey(text []byte) (ssh.PublicKey, error) {
	if err := otherFormat(text); err != nil {
		return nil, err
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey(text)
	if err != nil || len(options) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("this is not one OpenSSH public key: send the one line of a file like ~/.ssh/id_ed25519.pub")
	}
	return key, acceptable(key)
}

// acceptable refuses kinds and sizes of keys.
func acceptable(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		if bits := bitsOf(key); bits < minRSABits {
			return fmt.Errorf("an RSA key of %d bits is too weak: make one with 'ssh-keygen -t ed25519'", bits)
		}
		return nil
	}
	return fmt.Errorf("a key of type %s is not accepted: make one with 'ssh-keygen -t ed25519'", key.Type())
}

// otherFormat tells what to do with a key that is not in OpenSSH's public format. A PuTTY key comes as the .ppk file, which has
// both halves, or as the public half that PuTTYgen saves (RFC 4716).
func otherFormat(text []byte) error {
	switch {
	case bytes.Contains(text, []byte("PuTTY-User-Key-File")):
		return errors.New("this is a PuTTY file, and has the PRIVATE half in it, which must now be considered exposed: make a new key, convert it with 'puttygen KEY.ppk -O public-openssh -o KEY.pub' and send KEY.pub")
	case bytes.Contains(text, []byte("BEGIN SSH2 PUBLIC KEY")):
		return errors.New("this is a PuTTY key: convert it with 'ssh-keygen -i -f KEY.pub > KEY.openssh.pub' and send that file")
	case bytes.Contains(text, []byte("PRIVATE KEY")):
		return errors.New("this is a PRIVATE key, which nobody else may see: it must now be considered exposed, wherever it is in use. Make a new pair with 'ssh-keygen -t ed25519' and send the file that ends in .pub")
	}
	return nil
}

// bitsOf is the size of a key as ssh-keygen -l shows it, 0 of a kind that is not accepted.
func bitsOf(key ssh.PublicKey) int {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoSKECDSA256:
		return 256
	case ssh.KeyAlgoECDSA384:
		return 384
	case ssh.KeyAlgoECDSA521:
		return 521
	}
	holder, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	public, ok := holder.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return public.N.BitLen()
}
