// Command empty does nothing: what a process of a Go program costs by itself.
package main

func main() {}
