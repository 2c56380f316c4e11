package qr

import "rsc.io/qr/coding"

// What a pattern costs that makes a code harder to read, after ISO/IEC 18004
// §7.8.3. Of the eight masks the one that costs least is taken.
const (
	costRun     = 3  // five modules of one colour in a row, and 1 for each more
	costBlock   = 3  // four modules of one colour in a square
	costFinder  = 40 // what looks like the edge of a corner's square
	costBalance = 10 // for each 5 % that dark and light differ from a half
)

// penalty returns what a code costs.
func penalty(c *coding.Code) int {
	total, dark := 0, 0
	for i := range c.Size {
		total += line(c.Size, func(j int) bool { return c.Black(j, i) })
		total += line(c.Size, func(j int) bool { return c.Black(i, j) })
		for j := range c.Size {
			if c.Black(i, j) {
				dark++
			}
			if i > 0 && j > 0 && c.Black(i, j) == c.Black(i-1, j) && c.Black(i, j) == c.Black(i, j-1) && c.Black(i, j) == c.Black(i-1, j-1) {
				total += costBlock
			}
		}
	}
	modules := c.Size * c.Size
	return total + abs(2*dark-modules)*10/modules*costBalance
}

// The edge of a corner's square, 1:1:3:1:1 with four light modules at one end,
// as bits.
const (
	finderAfter  = 0b0000_1011101
	finderBefore = 0b1011101_0000
	finderBits   = 11
)

// line returns what the runs and the false edges in one row or column cost.
func line(size int, dark func(int) bool) int {
	cost, run, seen := 0, 0, 0
	for i := range size {
		bit := 0
		if dark(i) {
			bit = 1
		}
		if i > 0 && bit == seen&1 {
			run++
		} else {
			run = 1
		}
		switch {
		case run == 5:
			cost += costRun
		case run > 5:
			cost++
		}
		seen = (seen<<1 | bit) & (1<<finderBits - 1)
		if i >= finderBits-1 && (seen == finderAfter || seen == finderBefore) {
			cost += costFinder
		}
	}
	return cost
}

func abs(n int) int { return max(n, -n) }
