package npm

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"rotd/ipc"
	"rotd/ipc/secret"
)

// What npm's client asks for at a time, and more pages than there can be.
const (
	stagesPerPage = 100
	stagePages    = 50
)

// Staged lists the versions that wait for a person's approval and that the token
// may write to, as npm stage list does (npm 11.15; npm-facts, B.9).
func Staged(ctx context.Context, registryURL string, token secret.Text) (all []ipc.Staged, err error) {
	const doing = "list what is staged"
	r, err := plainRegistry(registryURL, token)
	if err != nil {
		return nil, err
	}
	for page := range stagePages {
		ans, err := r.do(ctx, call{doing: doing, method: http.MethodGet, bearer: token, list: true,
			path: fmt.Sprintf("/-/stage?page=%d&perPage=%d", page, stagesPerPage)})
		switch {
		case err != nil:
			return nil, err
		case ans.status == http.StatusNotFound:
			return nil, &Error{Kind: ErrRefused, Message: doing + ": the registry knows no staged publishing", Hint: "npm's own has it"}
		case !ans.ok():
			return nil, r.failure(doing, ans)
		}
		var list struct {
			Items []struct {
				ID, PackageName, Version, Tag, Actor string
				CreatedAt                            time.Time
			}
			Total int
		}
		if err := r.decode(doing, ans, &list); err != nil {
			return nil, err
		}
		for _, s := range list.Items {
			all = append(all, ipc.Staged{ID: s.ID, Package: s.PackageName, Version: s.Version, Tag: s.Tag, By: s.Actor, Created: s.CreatedAt.UTC()})
		}
		if len(all) >= list.Total || len(list.Items) < stagesPerPage {
			return all, nil
		}
	}
	return nil, r.garbled(doing, "has no end")
}
