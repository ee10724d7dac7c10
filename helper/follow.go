package helper

import (
	"context"
	"errors"
	"slices"
	"strings"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// follow posts in, shows the steps, puts rotd's questions to the person (who
// may be nil) and returns the result.
func (c *call) follow(ctx context.Context, busy, path string, in any, person *terminal) (*ipc.Result, error) {
	c.progressStart(busy)
	defer c.progressDone()
	client := c.client()
	for ev, err := range client.Stream(ctx, path, in) {
		switch {
		case err != nil:
			return nil, err
		case ev.Result != nil:
			return ev.Result, nil
		case ev.Step != nil:
			c.progressStep(ev.Step.ROT, ev.Step.Text)
		case ev.Question != nil:
			if err := c.answer(ctx, client, ev.Question, person); err != nil {
				return nil, err
			}
		}
	}
	return nil, errors.New("the stream ended without a result") // Stream yields an error before that
}

func (c *call) answer(ctx context.Context, client *ipc.Client, q *ipc.Question, person *terminal) error {
	if person == nil {
		return &ipc.Error{
			Code:    ipc.CodeNeedsApproval,
			Message: "rotd asks, and nobody is there to answer: " + q.Text,
			Hint:    insteadOf(q.Kind),
		}
	}
	resume := c.progress.pause()
	value, err := askPerson(ctx, q, person)
	if err != nil {
		return err
	}
	resume()
	return client.Post(ctx, ipc.Path(ipc.PathAnswer, q.ID), ipc.Answer{Value: secret.NewWire(value)}, nil)
}

// insteadOf names the flag that would have answered a question.
func insteadOf(kind string) string {
	const alone = "; or run the command on a terminal"
	switch kind {
	case ipc.AskUsername:
		return "name the user: --username U" + alone
	case ipc.AskPassword:
		return "connect again with the password's file, and let rotd keep it: rot connect npm --password-file F --remember password" + alone
	case ipc.AskOTP:
		return "connect again with the authenticator's secret, and let rotd keep it: rot connect npm --totp-secret-file F --remember totp" + alone
	case ipc.AskTerms:
		return "say it beforehand: --accept-terms" + alone
	case ipc.AskFileKey:
		return "name the file with the passphrase: --passphrase-file F" + alone
	case ipc.AskRecall:
		return "say what may be kept: --remember password" + alone
	default:
		return "run the command on a terminal"
	}
}

// askPerson asks until there is an answer.
func askPerson(ctx context.Context, q *ipc.Question, person *terminal) (string, error) {
	prompt := clean(q.Text)
	if slices.Contains([]string{ipc.AskRecall, ipc.AskRemove, ipc.AskReplace, ipc.AskTerms}, q.Kind) {
		return askYesNo(ctx, prompt, person)
	}
	for {
		answer, err := person.ask(ctx, prompt+": ", q.Secret)
		if err != nil {
			return "", err
		}
		if !q.Secret { // a password may begin or end with a space
			answer = strings.TrimSpace(answer)
		}
		if answer != "" {
			return answer, nil
		}
	}
}

// askYesNo answers in rotd's words; just Enter is no.
func askYesNo(ctx context.Context, prompt string, person *terminal) (string, error) {
	for {
		answer, err := person.ask(ctx, prompt+" [y/N] ", false)
		if err != nil {
			return "", err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return "yes", nil
		case "", "n", "no":
			return "no", nil
		}
	}
}
