package command

import "context"

// maxCertificate is bytes: a key and a chain of ten certificates of RSA with 4,096 bits have 30,000.
const maxCertificate = 64 << 10

func setCertificate() Command {
	return Command{
		Name:    "domains-ssl",
		Usage:   "APP DOMAIN [--cert FILE --key FILE | --disable] [--json]",
		Summary: "serve a domain with a certificate of its own: the chain and the key in PEM from standard input or, on the host, from files; --disable: by ACME again",
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			disable := f.Bool("disable", false, "")
			cert, key := f.String("cert", "-", ""), f.String("key", "-", "")
			app, args, err := c.app(f, 1, 1)
			switch {
			case err != nil:
				return err
			case *cert != "-" || *key != "-":
				return usagef("files can only be named on the host, both of them: use 'cat CERT KEY | %s domains-ssl %s %s'", c.ssh(), app, args[0])
			case *disable:
				return c.removeCertificate(ctx, app, args[0])
			}
			return c.setCertificate(ctx, app, args[0])
		},
	}
}

func (c *Call) setCertificate(ctx context.Context, app, host string) error {
	text, err := c.input("the certificate and its key", maxCertificate)
	if err != nil {
		return err
	}
	certificate, err := c.Service.SetCertificate(ctx, c.Caller, app, host, text)
	if err != nil {
		return err
	}
	warning := ""
	if certificate.Problem != "" {
		warning = "it " + certificate.Problem + "\n"
	}
	return c.done(domainCertificate{app, host, certificateOf(certificate)}, "%s has its own certificate, by %s, until %s\n%s",
		host, certificate.Issuer, when(certificate.NotAfter), warning)
}

type domainCertificate struct {
	App         string          `json:"app"`
	Host        string          `json:"host"`
	Certificate certificateLine `json:"certificate"`
}

func (c *Call) removeCertificate(ctx context.Context, app, host string) error {
	if err := c.Service.RemoveCertificate(ctx, c.Caller, app, host); err != nil {
		return err
	}
	return c.done(removal{host, true}, "%s has no certificate of its own any more\n", host)
}
