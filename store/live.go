package store

import "context"

// Live returns, by ROT, the generations that npm may accept: the one that is
// served and those that are retiring, ordered by N.
func (s *Store) Live(ctx context.Context) (map[string][]Generation, error) {
	all, err := list(ctx, s.db, "list the live generations", scanGeneration,
		`SELECT `+generationColumns+` FROM generations WHERE step = 'current'
		 UNION ALL
		 SELECT `+generationColumns+` FROM generations
		 WHERE step = 'retiring' AND step NOT IN ('current', 'revoked', 'abandoned')
		 ORDER BY rot, n`) // as the indexes say it: ended generations only grow in number
	if err != nil {
		return nil, err
	}
	byROT := make(map[string][]Generation)
	for _, g := range all {
		byROT[g.ROT] = append(byROT[g.ROT], g)
	}
	return byROT, nil
}
