package herder

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/cluster"
	"github.com/tailrace/tailrace/host/store"
)

// The pauses between attempts to publish the tasks of a connector, as Kafka Connect's.
const (
	publishPause    = 250 * time.Millisecond
	publishPauseMax = time.Minute
	// publishTimeout bounds one attempt.
	publishTimeout = 60 * time.Second
)

// Signature proves that a request comes from a worker of the cluster (KIP-507).
type Signature struct {
	Algorithm, Value string
	// Admitted: whoever asks may change the connector anyway, by a login or because nobody has to log in.
	Admitted bool
}

// publication is a set of tasks on its way into the config topic. A newer one of the same connector replaces it.
type publication struct {
	from     map[string]string // the connector's configuration that they were made from
	division []map[string]string
	replaced chan struct{}
}

// divided implements the crew's side: the tasks that a connector here has made go to the config topic, through the leader.
func (d *Distributed) divided(name string, from map[string]string, division []map[string]string) {
	p := &publication{from: from, division: division, replaced: make(chan struct{})}
	d.mu.Lock()
	if old := d.publishing[name]; old != nil {
		close(old.replaced)
	}
	d.publishing[name] = p
	d.mu.Unlock()
	d.background.Go(func() {
		d.publish(name, p)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.publishing[name] == p {
			delete(d.publishing, name)
		}
	})
}

// publish tries until the tasks are in the topic, or are not wanted any more.
func (d *Distributed) publish(name string, p *publication) {
	told := false
	for pause := publishPause; ; pause = min(2*pause, publishPauseMax) {
		snapshot := d.configs.Snapshot()
		c, exists := snapshot.Connectors[name]
		if !exists || c.TargetState != store.TargetStarted || !maps.Equal(p.from, c.Config) || !d.runsHere(name) {
			return
		}
		kind, _ := d.resolve(c.Config)
		tasks := taskConfigs(p.division, c.Config, kind.Connector)
		if sameTasks(tasks, c) {
			if told { // the reason is over
				d.hinder(name, nil)
			}
			return
		}
		err := d.publishOnce(name, tasks)
		if err == nil {
			continue // seen in the next snapshot
		}
		// A leader that has just changed, or a key that was just renewed, is no news.
		if pause > 4*publishPause {
			d.logger.Warn("the tasks of a connector could not be published and are tried again", "connector", name, "error", err, "in", pause)
			d.hinder(name, err)
			told = true
		}
		select {
		case <-time.After(pause):
		case <-p.replaced:
			return
		case <-d.ctx.Done():
			return
		}
	}
}

// hinder shows in the status why a connector that runs has no tasks, or not the right ones.
func (d *Distributed) hinder(name string, err error) {
	if st, ok := d.statuses.Connector(name); !ok || st.State != store.StateRunning || st.WorkerID != d.workerID {
		return
	}
	if err != nil {
		err = errors.New("its tasks could not be published yet: " + err.Error())
	}
	if err := d.putConnectorStatus(name, d.status(name, store.StateRunning, err)); err != nil {
		d.logger.Warn("a status could not be stored", "connector", name, "error", err)
	}
}

func (d *Distributed) runsHere(connector string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.assigned[connector]
	return a != nil && a.connector
}

func (d *Distributed) publishOnce(name string, tasks []map[string]string) error {
	ctx, cancel := context.WithTimeout(d.ctx, publishTimeout)
	defer cancel()
	view := d.member.View()
	switch {
	case view.LeaderURL == "":
		return noLeader()
	case view.IsLeader():
		return d.putTasks(ctx, name, tasks)
	}
	defer d.stages.begin("giving the tasks of connector " + name + " to the leader")()
	body, err := json.Marshal(tasks)
	if err != nil {
		return err
	}
	signature, err := d.sign(view, body)
	if err != nil {
		return err
	}
	if err := d.peers.PutTasks(ctx, view.LeaderURL, name, body, signature); err != nil {
		return err
	}
	return d.topic.Refresh(ctx)
}

// putTasks is the leader's part.
func (d *Distributed) putTasks(ctx context.Context, name string, tasks []map[string]string) error {
	return d.write(ctx, "writing the tasks of connector "+name, func() error {
		if _, exists := d.configs.Snapshot().Connectors[name]; !exists {
			return notFound(name)
		}
		return d.configs.PutTasks(ctx, name, tasks)
	})
}

// PutTasks implements Herder: another worker publishes the tasks of a connector that it runs.
func (d *Distributed) PutTasks(ctx context.Context, name string, tasks []map[string]string, body []byte, signature Signature) error {
	if err := d.verify(body, signature); err != nil {
		return err
	}
	return d.putTasks(ctx, name, tasks)
}

// verify makes sure that a request comes from a worker of the cluster. In a group that does not sign, Kafka Connect lets
// everybody in; here that is no way around the login.
func (d *Distributed) verify(body []byte, signature Signature) error {
	if protocol := d.member.View().Protocol; protocol != cluster.ProtocolSessioned {
		return mayUnsigned(protocol, signature)
	}
	if a := signature.Algorithm; a != "" && !cluster.KnownAlgorithm(a) {
		return failed(BadRequest, "Algorithm %s not available", a)
	}
	err := cluster.Verify(d.configs.Snapshot().SessionKey, d.cluster.VerificationAlgorithms, signature.Algorithm, signature.Value, body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, cluster.ErrNoSessionKey):
		return failed(NotReady, "%s", err.Error())
	case errors.Is(err, cluster.ErrSignatureInvalid):
		return failed(Forbidden, "%s", err.Error())
	}
	return failed(BadRequest, "%s", err.Error())
}

// mayUnsigned judges a request in a group whose workers do not sign. Pure.
func mayUnsigned(protocol string, signature Signature) error {
	if signature.Admitted {
		return nil
	}
	return failed(Forbidden, "The workers of this group do not sign what they ask of each other (its protocol is %q), and this worker asks for a login; "+
		"set connect.protocol=sessioned on every worker", protocol)
}

// workerIDOf is the host:port of a REST URL: what a worker calls itself in statuses.
func workerIDOf(rest string) string {
	if u, err := url.Parse(rest); err == nil && u.Host != "" {
		return u.Host
	}
	return strings.TrimSuffix(rest, "/")
}
