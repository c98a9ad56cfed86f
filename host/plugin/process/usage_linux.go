package process

import (
	"time"

	"github.com/prometheus/procfs"
)

// UsageOf asks the kernel what a process uses; an error when it has ended.
func UsageOf(pid int) (Usage, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return Usage{}, err
	}
	stat, err := p.Stat()
	if err != nil {
		return Usage{}, err
	}
	return Usage{ResidentBytes: int64(stat.ResidentMemory()), CPU: time.Duration(stat.CPUTime() * float64(time.Second))}, nil
}
