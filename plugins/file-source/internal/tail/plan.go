package tail

import "time"

// Candidate is a file that may be read next, as it was seen in the folder.
type Candidate struct {
	Path     string
	Inode    uint64
	Size     int64 // of a gzip file: compressed, so it says nothing about positions
	Modified time.Time
	Gzip     bool
	// Matches says that the bytes before the position looked for have the fingerprint looked for.
	Matches bool
}

// View is what the folder holds: the file under the path, if any, and the files that look like rotated versions of it.
type View struct {
	Current *Candidate
	Rotated []Candidate
}

// Choice is the file to read next and where to begin.
type Choice struct {
	Candidate
	Position int64
	// Lost is empty, or says why reading cannot go on where it stopped.
	Lost string
}

// Resume chooses where to go on from an offset whose file may have been rotated, truncated or deleted meanwhile. It
// returns false if there is nothing to read yet.
func Resume(at Offset, view View) (Choice, bool) {
	switch {
	case at.Position == 0:
		return beginning(view, "")
	case !at.Print.Known():
		return resumeByPosition(at.Position, view)
	}
	best := -1
	all := view.Rotated
	if view.Current != nil {
		all = append([]Candidate{*view.Current}, view.Rotated...)
	}
	for i, c := range all {
		if c.Matches && (best < 0 || closer(at, c, all[best], best == 0 && view.Current != nil)) {
			best = i
		}
	}
	if best >= 0 {
		return Choice{Candidate: all[best], Position: at.Position}, true
	}
	return beginning(view, "no file holds the bytes that were read last: the old one was truncated, rewritten or deleted")
}

// closer tells whether c is a better match than best. The inode decides. Without it a rotated file goes before the
// current one: reading twice is better than leaving out the rest of the old file and the beginning of a new one that
// happens to look the same.
func closer(at Offset, c, best Candidate, bestIsCurrent bool) bool {
	if (c.Inode == at.Inode) != (best.Inode == at.Inode) {
		return c.Inode == at.Inode
	}
	if at.Inode == 0 {
		return false // order of preference: current, then as listed
	}
	return bestIsCurrent && c.Inode != at.Inode || c.Modified.After(best.Modified)
}

// resumeByPosition is for an offset that Kafka's own connector, or a user, has written.
func resumeByPosition(position int64, view View) (Choice, bool) {
	if view.Current == nil {
		return Choice{}, false
	}
	if view.Current.Gzip || view.Current.Size >= position {
		return Choice{Candidate: *view.Current, Position: position}, true
	}
	var youngest *Candidate
	for i, c := range view.Rotated {
		if !c.Gzip && c.Size >= position && (youngest == nil || c.Modified.After(youngest.Modified)) {
			youngest = &view.Rotated[i]
		}
	}
	if youngest != nil {
		return Choice{Candidate: *youngest, Position: position}, true
	}
	return beginning(view, "the file is shorter than the stored position: it was truncated or replaced")
}

// After chooses the file that follows one that was read to its end and is not the current one any more: the oldest
// rotated file that was written to later, or else the current one.
func After(done Candidate, view View) (Choice, bool) {
	var next *Candidate
	for i, c := range view.Rotated {
		if c.Inode == done.Inode || c.Modified.Before(done.Modified) || c.Gzip && c.Matches {
			continue // older, or the finished file itself, renamed or compressed
		}
		if next == nil || c.Modified.Before(next.Modified) {
			next = &view.Rotated[i]
		}
	}
	if next != nil {
		return Choice{Candidate: *next}, true
	}
	return beginning(view, "")
}

func beginning(view View, lost string) (Choice, bool) {
	if view.Current == nil {
		return Choice{}, false
	}
	return Choice{Candidate: *view.Current, Lost: lost}, true
}
