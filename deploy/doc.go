// Package deploy holds what platforms read: systemd's units and compose's first start here, and at the top of the house, where
// they look for them, Procfile, Dockerfile, compose.yaml, app.json, fly.toml, render.yaml and the workflows. Its tests hold all of
// them to the code.
package deploy
