package builder

// DefaultBuildpacks are what detection tries where nothing else is configured: the official buildpacks of the usual
// languages, alphabetically, fetched when the first app needs them.
func DefaultBuildpacks() []Buildpack {
	var packs []Buildpack
	for _, language := range []string{"go", "gradle", "java", "nodejs", "php", "python", "ruby", "scala"} {
		packs = append(packs, Buildpack{Name: language, URL: "https://github.com/heroku/heroku-buildpack-" + language})
	}
	return packs
}
