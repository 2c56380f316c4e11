module github.com/o2fa/o2fa/bench

go 1.26.0

require (
	github.com/o2fa/o2fa v0.0.0
	github.com/pquerna/otp v1.5.0
)

require github.com/boombuler/barcode v1.0.1-0.20190219062509-6c824513bacc // indirect

replace github.com/o2fa/o2fa => ../
