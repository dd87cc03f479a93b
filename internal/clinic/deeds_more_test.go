package clinic_test

import (
	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// glassActs are those of break-glass.
func glassActs() []act {
	return []act{
		{"GlassBreak", clinic.GlassBreak, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.GlassBreak(ctx, a, clinic.GlassForm{})
			return err
		}},
		{"GlassEnd", clinic.GlassEnd, false, func(c *clinic.Clinic, a clinic.Actor, x things) error { return c.GlassEnd(ctx, a, x.message) }},
	}
}

// keeperActs are those of administrators, some of which the operator has by command too.
func keeperActs(w *clinictest.World) []act {
	return []act{
		{"StaffList", clinic.StaffList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.StaffList(ctx, a); return err }},
		{"StaffAssign", clinic.StaffAssign, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.StaffAssign(ctx, a, w.Staff2.ID, clinic.Staff)
		}},
		{"StaffDisable", clinic.StaffDisable, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { return c.StaffDisable(ctx, a, w.Staff2.ID) }},
		{"StaffEnable", clinic.StaffEnable, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { return c.StaffEnable(ctx, a, w.Staff2.ID) }},
		{"TeamList", clinic.TeamList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.TeamList(ctx, a, ""); return err }},
		{"TeamSearch", clinic.TeamSearch, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.TeamSearch(ctx, a, "20441")
			return err
		}},
		{"TeamShow", clinic.TeamShow, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.TeamShow(ctx, a, x.patient)
			return err
		}},
		{"TeamJoin", clinic.TeamJoin, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.TeamJoin(ctx, a, x.patient, w.Doctor2.ID)
		}},
		{"TeamLeave", clinic.TeamLeave, false, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			return c.TeamLeave(ctx, a, x.patient, w.Doctor2.ID)
		}},
		{"GlassList", clinic.GlassList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.GlassList(ctx, a, false, "")
			return err
		}},
		{"GlassReview", clinic.GlassReview, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.GlassReview(ctx, a, uuid.Must(uuid.NewV7()), "Looked at.")
		}},
	}
}

// steeringActs are those of who steers the clinic: settings, cost, prompts and jobs.
func steeringActs() []act {
	return []act{
		{"ClinicShow", clinic.ClinicShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.ClinicShow(ctx, a); return err }},
		{"ClinicEdit", clinic.ClinicEdit, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.ClinicEdit(ctx, a, clinic.ClinicSettings{})
		}},
		{"UsageShow", clinic.UsageShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.UsageShow(ctx, a, ""); return err }},
		{"PromptList", clinic.PromptList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.PromptList(ctx, a); return err }},
		{"JobList", clinic.JobList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.JobList(ctx, a); return err }},
		{"JobRun", clinic.JobRun, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { return c.JobRun(ctx, a, "nightly") }},
	}
}

// nightActs are the worker's, at night.
func nightActs() []act {
	return []act{{"JobNightly", clinic.JobNightly, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
		_, err := c.JobNightly(ctx, a, false, false)
		return err
	}}, {"MessageRetire", clinic.MessageRetire, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
		_, _, err := c.MessageRetire(ctx, a, &clinic.Retirement{ClinicID: a.ClinicID})
		return err
	}}}
}
