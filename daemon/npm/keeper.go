package npm

import (
	"context"

	"rotd/ipc/secret"
	"rotd/store"
)

// Keeper keeps the secrets of one passcard between runs. The store implements
// it; tests have a map.
type Keeper interface {
	// Secret returns the secret of this kind, the zero Text when none is kept.
	Secret(ctx context.Context, k store.Kind) (secret.Text, error)
	// PutSecret seals v, in place of what was kept before.
	PutSecret(ctx context.Context, k store.Kind, v secret.Text) error
}
