package helper

import (
	"context"

	"rotd/ipc"
	"rotd/ipc/fmt"
)

// showStaged is rot status --staged.
func (c *call) showStaged(ctx context.Context) error {
	var list struct {
		Staged []ipc.Staged `json:"staged"`
	}
	if err := c.client().Get(ctx, ipc.PathStaged, &list); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(list)
	}
	var failed error
	for _, s := range list.Staged {
		if s.Error != nil {
			c.errorf(&ipc.Error{Message: s.ROT + ": " + s.Error.Message, Hint: s.Error.Hint})
			failed = exitStatus(s.Error.Code.Exit())
			continue
		}
		c.print(fmt.Sprintf("%s@%s  %s, staged %s by %s at %s\n", clean(s.Package), clean(s.Version), clean(s.Tag),
			when(s.Created, c.Now()), clean(s.By), clean(shortRegistry(s.Registry))))
		c.print("  npm stage approve " + clean(s.ID) + "\n")
	}
	if len(list.Staged) == 0 {
		c.note("nothing waits for approval")
	}
	return failed
}
