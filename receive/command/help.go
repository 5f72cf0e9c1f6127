package command

import "context"

// help lists the commands of t, or tells how one of them is used.
func help(t Table) Command {
	self := Command{Name: "help", Usage: "[COMMAND]", Summary: "list the commands, or tell how one is used"}
	t = append(t[:len(t):len(t)], self)
	self.Run = func(_ context.Context, c *Call) error {
		args, err := c.parse(c.flags(), 0, 1)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			cmd, ok := t.find(args[0])
			if !ok {
				return usagef("there is no command %q: 'help' lists them", args[0])
			}
			return cmd.explain(c)
		}
		for _, cmd := range t {
			if err := c.printf("%-21s %s\n%22s%s\n", cmd.Name, cmd.Usage, "", cmd.Summary); err != nil {
				return err
			}
		}
		return nil
	}
	return self
}
