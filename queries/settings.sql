-- name: SettingsLast :one
SELECT * FROM doctor_settings WHERE staff_id = @staff_id AND clinic_id = @clinic_id ORDER BY version DESC LIMIT 1;

-- name: SettingsHistory :many
SELECT * FROM doctor_settings WHERE staff_id = @staff_id AND clinic_id = @clinic_id ORDER BY version DESC LIMIT 20;

-- name: SettingsAppend :exec
INSERT INTO doctor_settings (staff_id, clinic_id, version, tone, reading_level, max_words, specialty, sign_off, created_at)
VALUES (@staff_id, @clinic_id, @version, @tone, @reading_level, @max_words, @specialty, @sign_off, @created_at);
