package clinic_test

import (
	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// answeringActs answer a patient who asks who has seen them.
func answeringActs() []act {
	return []act{
		{"AuditOfPatient", clinic.AuditOfPatient, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.AuditOfPatient(ctx, a, x.patient, "")
			return err
		}},
		{"AuditDisclosures", clinic.AuditDisclosures, true, func(c *clinic.Clinic, a clinic.Actor, x things) error {
			_, err := c.AuditDisclosures(ctx, a, x.patient)
			return err
		}},
	}
}

// auditActs are those of auditors, of administrators who review access, and of the worker behind both.
func auditActs() []act {
	return []act{
		{"AuditSearch", clinic.AuditSearch, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.AuditSearch(ctx, a, clinic.AuditFilter{})
			return err
		}},
		{"AuditShow", clinic.AuditShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.AuditShow(ctx, a, uuid.Must(uuid.NewV7()))
			return err
		}},
		{"AuditProve", clinic.AuditProve, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, _, err := c.AuditProve(ctx, a, uuid.Must(uuid.NewV7()))
			return err
		}},
		{"AuditExport", clinic.AuditExport, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.AuditExport(ctx, a, clinic.AuditFilter{}, "csv", &counted{})
		}},
		{"AuditVerify", clinic.AuditVerify, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.AuditVerify(ctx, a); return err }},
		{"AuditChecks", clinic.AuditChecks, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.AuditChecks(ctx, a); return err }},
		{"AuditRun", clinic.AuditRun, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.AuditRun(ctx, a, nil); return err }},
		{"AccessMake", clinic.AccessMake, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.AccessMake(ctx, a); return err }},
		{"AccessList", clinic.AccessList, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error { _, err := c.AccessList(ctx, a, ""); return err }},
		{"AccessShow", clinic.AccessShow, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			_, err := c.AccessShow(ctx, a, uuid.Must(uuid.NewV7()))
			return err
		}},
		{"AccessSign", clinic.AccessSign, false, func(c *clinic.Clinic, a clinic.Actor, _ things) error {
			return c.AccessSign(ctx, a, uuid.Must(uuid.NewV7()), "Looked at.")
		}},
	}
}
