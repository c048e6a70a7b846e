// An address in, a Redis in memory served there until it is killed. Argo CD needs one, and not every
// machine has redis-server. IO: one listening socket, one line on standard output.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen; port 0 takes a free one")
	flag.Parse()
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "redis:", err)
		os.Exit(1)
	}
	fmt.Println("listening on", redis.Addr())
	// Keys expire only as time is told to pass: Argo CD's locks and cached errors count on it.
	for range time.Tick(time.Second) {
		redis.FastForward(time.Second)
	}
}
