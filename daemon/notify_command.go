package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rotd/daemon/deliver"
	"rotd/ipc/secret"
)

// notifyLimit is how long a command of --notify may run.
const notifyLimit = 30 * time.Second

// notifyCommand runs a command once for each notice: no shell, the notice as
// JSON on its standard input, the parts a script needs most as ROT_… in the
// environment.
func notifyCommand(argv []string, dir string) notifier {
	return func(ctx context.Context, notices []Notice) error {
		var errs []error
		for _, n := range notices {
			b, err := json.Marshal(n)
			if err != nil {
				return err
			}
			expires := ""
			if n.Expires != nil {
				expires = n.Expires.UTC().Format(time.RFC3339)
			}
			out, err := deliver.Run(ctx, deliver.Job{
				Command: argv, Dir: dir, Limit: notifyLimit,
				Stdin: secret.New(string(b) + "\n"),
				Env: []string{
					"ROT_REF=" + n.ROT + n.Passcard, "ROT_NAME=" + n.Name, "ROT_STATE=" + n.State, "ROT_EXPIRES=" + expires,
					"ROT_TITLE=" + n.Title, "ROT_TEXT=" + n.Text,
				},
			})
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w: %s", argv[0], err, out))
			}
		}
		return errors.Join(errs...)
	}
}
