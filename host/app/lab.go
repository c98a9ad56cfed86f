package app

import (
	"context"
	"encoding/json"

	"github.com/tailrace/tailrace/host/cli"
	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/host/transform/lab"
)

// transformLab runs records through a chain, for `tailrace transform`.
func transformLab(ctx context.Context, o cli.Lab, emit func(cli.LabResult) error) error {
	transforms, predicates, err := config.ReadTransforms(o.ConfigFile)
	if err != nil {
		return err
	}
	chain, err := transform.FromConfig(transforms, predicates, nil)
	if err != nil {
		return err
	}
	options := lab.Options{Records: o.Records, Topic: o.Topic, Kind: transform.Source, Steps: o.Steps}
	if o.Sink {
		options.Kind = transform.Sink
	}
	return lab.Run(ctx, o.Input, chain, options, func(r lab.Result) error {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		out := cli.LabResult{JSON: text, Line: r.Line, Dropped: r.Dropped}
		before := r.BeforeLines
		for _, s := range r.Steps {
			out.Steps = append(out.Steps, cli.LabStep{Transform: s.Transform, Class: s.Class, Dropped: s.Dropped, Diff: lab.Diff(before, s.Lines)})
			before = s.Lines
		}
		if !r.Dropped {
			out.Diff = lab.Diff(r.BeforeLines, r.AfterLines)
		}
		if f := r.Error; f != nil {
			out.Error = &cli.LabError{Transform: f.Transform, Class: f.Class, Exception: f.Exception, Message: f.Message}
		}
		return emit(out)
	})
}
