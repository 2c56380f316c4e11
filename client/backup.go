package client

import (
	"context"

	"github.com/o2fa/o2fa/ipc"
)

// Backups lists the backups of the profile, the newest first.
func (c *Client) Backups(ctx context.Context) (ipc.Backups, error) {
	return call[ipc.Backups](ctx, c, Request{Method: "GET", Path: ipc.PathBackups})
}

// CreateBackup makes a backup now, and verifies it.
func (c *Client) CreateBackup(ctx context.Context, r ipc.BackupCreateRequest) (ipc.BackupCreated, error) {
	return call[ipc.BackupCreated](ctx, c, Request{Method: "POST", Path: ipc.PathBackupCreate, Body: r})
}

// VerifyBackup proves that a backup, or each, can be restored.
func (c *Client) VerifyBackup(ctx context.Context, r ipc.BackupVerifyRequest) (ipc.BackupVerified, error) {
	return call[ipc.BackupVerified](ctx, c, Request{Method: "POST", Path: ipc.PathBackupVerify, Body: r})
}

// CompareBackup tells what RestoreBackup would change. It changes nothing.
func (c *Client) CompareBackup(ctx context.Context, r ipc.BackupRequest) (ipc.BackupComparison, error) {
	return call[ipc.BackupComparison](ctx, c, Request{Method: "POST", Path: ipc.PathBackupCompare, Body: r})
}

// RestoreBackup puts a backup in the place of the vault, as it was compared.
func (c *Client) RestoreBackup(ctx context.Context, r ipc.BackupRestoreRequest) (ipc.BackupRestored, error) {
	return call[ipc.BackupRestored](ctx, c, Request{Method: "POST", Path: ipc.PathBackupRestore, Body: r})
}

// RemakeBackups puts a new backup in the place of those that former key slots open.
func (c *Client) RemakeBackups(ctx context.Context) (ipc.BackupRemade, error) {
	return call[ipc.BackupRemade](ctx, c, Request{Method: "POST", Path: ipc.PathBackupRemake})
}
