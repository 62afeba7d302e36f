BEGIN TRANSACTION;
CREATE TABLE mlconnector_audit (
	id INTEGER NOT NULL,
	pipeline VARCHAR(100) NOT NULL,
	at BIGINT NOT NULL,
	job_id VARCHAR(255) NOT NULL,
	stream VARCHAR(50) NOT NULL,
	"key" VARCHAR(255) NOT NULL,
	outcome TEXT NOT NULL,
	reason TEXT NOT NULL,
	message TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	request_id TEXT,
	replayed TEXT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "mlconnector_audit" VALUES(1,'acme',1772366400000000,'job-1','orders','O2','dead','rejected','no total',2,'r-2','kept');
CREATE TABLE mlconnector_dead_letters (
	pipeline VARCHAR(100) NOT NULL,
	stream VARCHAR(50) NOT NULL,
	"key" VARCHAR(255) NOT NULL,
	reason TEXT NOT NULL,
	message TEXT NOT NULL,
	payload TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	last_at BIGINT NOT NULL,
	job_id TEXT NOT NULL,
	first_job_id TEXT NOT NULL,
	status_code BIGINT,
	request_id TEXT,
	PRIMARY KEY (pipeline, stream, "key")
);
INSERT INTO "mlconnector_dead_letters" VALUES('acme','orders','O2','rejected','no total','{"id":"O2","total":{"$type":"Decimal","of":"12.50"},"at":{"$type":"datetime","of":"2026-03-01T12:00:00+00:00"}}','f2',2,1772362800000000,1772366400000000,'job-1','job-0',400,'r-2');
CREATE TABLE mlconnector_leases (
	pipeline VARCHAR(100) NOT NULL,
	owner VARCHAR(255),
	fencing BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (pipeline)
);
INSERT INTO "mlconnector_leases" VALUES('acme','worker-1',1,1772370000000000);
CREATE TABLE mlconnector_links (
	pipeline VARCHAR(100) NOT NULL,
	stream VARCHAR(50) NOT NULL,
	"key" VARCHAR(255) NOT NULL,
	target TEXT NOT NULL,
	address VARCHAR(320) NOT NULL,
	fingerprint TEXT NOT NULL,
	owner SMALLINT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	parent TEXT NOT NULL,
	taken_off TEXT NOT NULL,
	standing TEXT NOT NULL,
	moved_from TEXT NOT NULL,
	contact_id TEXT NOT NULL,
	details TEXT NOT NULL,
	permissions TEXT NOT NULL,
	synced_at BIGINT,
	seen TEXT NOT NULL,
	PRIMARY KEY (pipeline, stream, "key")
);
INSERT INTO "mlconnector_links" VALUES('acme','customers','Cé 1','0f3c9a6e','ada@example.com','f1',1,'synced','shared','P1','archived','subscribed','old@example.com','c1','["VIP"]','[["news", "given"]]',1772366400000000,'');
INSERT INTO "mlconnector_links" VALUES('acme','orders','O1','','','',1,'synced','','','','','','','','',NULL,'');
CREATE TABLE mlconnector_marks (
	pipeline VARCHAR(100) NOT NULL,
	stream VARCHAR(50) NOT NULL,
	kind TEXT NOT NULL,
	value TEXT NOT NULL,
	full_scan_at BIGINT,
	PRIMARY KEY (pipeline, stream)
);
INSERT INTO "mlconnector_marks" VALUES('acme','customers','datetime','2026-03-01T12:00:00+00:00',1772362800000000);
CREATE TABLE mlconnector_notes (
	pipeline VARCHAR(100) NOT NULL,
	kind VARCHAR(50) NOT NULL,
	"key" VARCHAR(255) NOT NULL,
	payload TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (pipeline, kind, "key")
);
INSERT INTO "mlconnector_notes" VALUES('acme','receipt','n1','{"seen":1}',1772366400000000);
CREATE TABLE mlconnector_schema_version (
	id INTEGER NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "mlconnector_schema_version" VALUES(1,1);
CREATE TABLE mlconnector_suppressions (
	pipeline VARCHAR(100) NOT NULL,
	address VARCHAR(320) NOT NULL,
	reason TEXT NOT NULL,
	origin TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (pipeline, address)
);
INSERT INTO "mlconnector_suppressions" VALUES('acme','bob@example.com','unsubscribed','mailchimp',1772366400000000);
CREATE TABLE mlconnector_vault (
	name VARCHAR(255) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	sealed TEXT NOT NULL,
	PRIMARY KEY (name)
);
INSERT INTO "mlconnector_vault" VALUES('mailchimp','1c1145740857752fe4182e05d9674b165f26c703ac6981a707b3a62c9c7d912e','k1.sealed');
CREATE INDEX mlconnector_links_by_address ON mlconnector_links (pipeline, address, stream);
CREATE INDEX mlconnector_audit_by_record ON mlconnector_audit (pipeline, "key", id);
CREATE INDEX mlconnector_audit_by_pipeline ON mlconnector_audit (pipeline, id);
CREATE INDEX mlconnector_audit_by_job ON mlconnector_audit (pipeline, job_id, id);
COMMIT;
