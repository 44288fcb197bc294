// Command sleeper is a process to be looked at.
package main

import "time"

func main() { time.Sleep(time.Minute) }
