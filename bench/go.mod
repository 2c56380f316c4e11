module github.com/o2fa/o2fa/bench

go 1.26.0

require github.com/o2fa/o2fa v0.0.0

replace github.com/o2fa/o2fa => ../
