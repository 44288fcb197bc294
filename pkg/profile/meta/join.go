package meta

import "strings"

// joiners holds, by the name of a key, how the values of two profiles become one. The values of other keys, and of comments
// that other programs wrote, are all kept, equal ones once.
var joiners = map[string]func(a, b string) (joined string, ok bool){}

// joinedBy declares how the values of a key are joined and returns the key.
func joinedBy[T any](k Key[T], join func(a, b T) T) Key[T] {
	joiners[k.name] = func(a, b string) (string, bool) {
		x, errX := k.parse(a)
		y, errY := k.parse(b)
		if errX != nil || errY != nil {
			return "", false
		}
		return k.format(join(x, y)), true
	}
	return k
}

// Join returns the comments of a profile that is merged from others with the given comments. Counts are added up.
func Join(parts ...[]string) []string {
	var joined []string
	seen, at := map[string]bool{}, map[string]int{} // at is the place of a joined key's comment
	for _, part := range parts {
		for _, comment := range part {
			key, value, ok := strings.Cut(comment, separator)
			if join := joiners[key]; ok && join != nil {
				i, known := at[key]
				if !known {
					at[key] = len(joined)
					joined = append(joined, comment)
					continue
				}
				if sum, ok := join(joined[i][len(key+separator):], value); ok {
					joined[i] = key + separator + sum
					continue
				}
			}
			if !seen[comment] {
				seen[comment] = true
				joined = append(joined, comment)
			}
		}
	}
	return joined
}
