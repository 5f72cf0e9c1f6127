//go:build race

package scenes

// raceDetector tells that the tests run under it: then boathook does, too.
const raceDetector = true
