package npmrc

import "rotd/ipc/fmt"

const helperSetting = ":tokenHelper"

// ForeignError says that the setting names a program that is not ours.
type ForeignError struct {
	Key     string
	Line    int
	Program string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("line %d names another program: %s=%s", e.Line, e.Key, e.Program)
}

// SetHelper has pnpm get a registry's token from a program, by the setting
// //host/path/:tokenHelper of the file at path, with the care of Update. One
// that is there already is replaced where ours says so, else it is a
// *ForeignError.
func SetHelper(path, registry, program string, ours func(program string) bool) (Report, error) {
	scope, err := scope(registry)
	if err != nil {
		return Report{}, err
	}
	key := scope + helperSetting
	return change(path, func(src []byte) ([]byte, Report, error) {
		settings := parse(string(src))
		if at := find(settings, key); at >= 0 && !ours(settings[at].value) {
			return nil, Report{}, &ForeignError{key, settings[at].line, settings[at].value}
		}
		return set(src, key, program, false)
	})
}

// CutHelper takes that line out again, where the program is ours.
func CutHelper(path, registry string, ours func(program string) bool) (Report, error) {
	scope, err := scope(registry)
	if err != nil {
		return Report{}, err
	}
	return change(path, func(src []byte) ([]byte, Report, error) { return cut(src, scope+helperSetting, ours) })
}
