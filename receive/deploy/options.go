package deploy

import "context"

// Options are what a person may ask of a deployment beyond the commit. All of them can be combined.
type Options struct {
	Detach  bool // goes on when the context of Deploy ends; only Interrupt and the end of Request.Access end it
	NoCache bool // builds without what earlier builds have left, and leaves its own in the place of that
	NoHook  bool // leaves the hooks release and postdeploy out
	DryRun  bool // ends where the switch would begin, and throws the new version away
}

// pushOptions are the words of `git push -o` that mean something here, in the order in which they are listed.
var pushOptions = []struct {
	word string
	set  func(*Options)
}{
	{"detach", func(o *Options) { o.Detach = true }},
	{"no-cache", func(o *Options) { o.NoCache = true }},
	{"skip-hook", func(o *Options) { o.NoHook = true }},
	{"dry-run", func(o *Options) { o.DryRun = true }},
}

func optionWords() (words []string) {
	for _, known := range pushOptions {
		words = append(words, known.word)
	}
	return words
}

// readOptions returns the first word that is no option, "" if there is none.
func readOptions(words []string) (options Options, unknown string) {
	for _, word := range words {
		set := setterOf(word)
		if set == nil {
			return Options{}, word
		}
		set(&options)
	}
	return options, ""
}

func setterOf(word string) func(*Options) {
	for _, known := range pushOptions {
		if known.word == word {
			return known.set
		}
	}
	return nil
}

// detached is a context that only Interrupt ends, and access if it is not nil.
func (d *Deployer) detached(ctx, access context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	forget := []func() bool{context.AfterFunc(d.stop, func() { cancel(nil) })}
	if access != nil {
		forget = append(forget, context.AfterFunc(access, func() { cancel(context.Cause(access)) }))
	}
	return ctx, func() {
		for _, f := range forget {
			f()
		}
		cancel(nil)
	}
}
