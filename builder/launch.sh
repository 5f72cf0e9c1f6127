# boathook's launcher: $1 is the command of a process type. It reads the app's profile and becomes the command, so
# that signals reach it. Everything is found through $HOME, the app's directory; the variables stay as they were.
boathook_command=$1
shift
for boathook_profile in "$HOME"/.profile.d/*.sh; do
	if [ -r "$boathook_profile" ]; then . "$boathook_profile"; fi
done
if [ -r "$HOME/.profile" ]; then . "$HOME/.profile"; fi
exec "$BASH" -c "$boathook_command"
