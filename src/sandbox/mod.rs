//! The throwaway PostgreSQL that a backup is restored into.
