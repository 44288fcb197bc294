package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// Join makes one profile of those that were taken one after another. Of comments that count something it gives the sums.
func Join(parts ...*profile.Profile) (*profile.Profile, error) {
	joined, err := profile.Merge(parts)
	if err != nil {
		return nil, err
	}
	var comments []string
	at := map[string]int{} // of the comment with that key
	for _, p := range parts {
		for _, c := range p.Comments {
			key, value, _ := strings.Cut(c, ": ")
			n, err := strconv.ParseInt(value, 10, 64)
			i, known := at[key]
			switch {
			case err == nil && known:
				_, sum, _ := strings.Cut(comments[i], ": ")
				before, _ := strconv.ParseInt(sum, 10, 64)
				comments[i] = key + ": " + strconv.FormatInt(before+n, 10)
			case err == nil:
				at[key] = len(comments)
				comments = append(comments, c)
			case !slices.Contains(comments, c):
				comments = append(comments, c)
			}
		}
	}
	joined.Comments = comments
	return joined, nil
}
