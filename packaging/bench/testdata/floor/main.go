// Command floor prints one line: no program of Go's takes less.
package main

import "os"

func main() { _, _ = os.Stdout.WriteString("npm_EXAMPLE\n") }
