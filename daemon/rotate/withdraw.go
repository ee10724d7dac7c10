package rotate

import (
	"context"
	"errors"

	"rotd/store"
)

// Withdraw finishes what store.Store.Withdraw began: it revokes every value of
// rot that npm may still take, those that were served first, as they may have
// leaked. The error says what is left; Settle goes on with that.
func (e *Engine) Withdraw(ctx context.Context, npm Account, rot store.ROT, tell Progress) error {
	old, err := e.Journal.Generations(ctx, rot.ID, store.StepRetiring)
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range old {
		errs = append(errs, e.retire(ctx, npm, g, tell))
	}
	return errors.Join(append(errs, e.sweep(ctx, npm, rot))...)
}
