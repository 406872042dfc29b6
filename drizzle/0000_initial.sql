CREATE TABLE "filing" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"idx" bigint NOT NULL,
	"key" "bytea" NOT NULL,
	"type" text NOT NULL,
	"version" text NOT NULL,
	"filer" text NOT NULL,
	"period_from" date NOT NULL,
	"period_to" date NOT NULL,
	"reference" text,
	"kind" text NOT NULL,
	"supersedes" text,
	"received_at" timestamp(3) with time zone NOT NULL,
	"late" boolean NOT NULL,
	"warnings" jsonb,
	"digest" "bytea" NOT NULL,
	"salt" "bytea" NOT NULL,
	"leaf" "bytea" NOT NULL,
	"tick_lane" smallint NOT NULL,
	"tick" uuid NOT NULL,
	"tick_leaf" integer NOT NULL,
	"kid" text NOT NULL,
	"content" text NOT NULL,
	"manifest" uuid,
	"manifest_line" integer,
	CONSTRAINT "filing_pk" PRIMARY KEY("lane","office","idx"),
	CONSTRAINT "filing_key" UNIQUE("lane","key")
);
--> statement-breakpoint
CREATE TABLE "manifest" (
	"lane" smallint NOT NULL,
	"id" uuid NOT NULL,
	"jws" text NOT NULL,
	"leaves" "bytea" NOT NULL,
	CONSTRAINT "manifest_pk" PRIMARY KEY("lane","id")
);
--> statement-breakpoint
CREATE TABLE "office_head" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"size" bigint NOT NULL,
	"received_at" timestamp(3) with time zone NOT NULL,
	"txid" "xid8" NOT NULL,
	CONSTRAINT "office_head_pk" PRIMARY KEY("lane","office")
);
--> statement-breakpoint
CREATE TABLE "tick" (
	"lane" smallint NOT NULL,
	"id" uuid NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"leaves" "bytea" NOT NULL,
	"signature" text NOT NULL,
	CONSTRAINT "tick_pk" PRIMARY KEY("lane","id")
);
--> statement-breakpoint
CREATE TABLE "gateway_key" (
	"kid" text PRIMARY KEY NOT NULL,
	"jwk" jsonb NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "identity_change" (
	"n" bigint PRIMARY KEY NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"subjects" text[] NOT NULL
);
--> statement-breakpoint
CREATE TABLE "identity_head" (
	"one" smallint PRIMARY KEY NOT NULL,
	"n" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "mandate" (
	"id" text PRIMARY KEY NOT NULL,
	"agent" text NOT NULL,
	"filer" text NOT NULL,
	"types" text[] NOT NULL,
	"valid_from" text NOT NULL,
	"valid_to" text
);
--> statement-breakpoint
CREATE TABLE "meta" (
	"name" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "office" (
	"code" text PRIMARY KEY NOT NULL,
	"agency" text NOT NULL,
	"region" text NOT NULL,
	"name_zh" text NOT NULL,
	"name_en" text NOT NULL,
	"lane" smallint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "party" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"taxpayer_kind" text,
	"status" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "party_key" (
	"kid" text PRIMARY KEY NOT NULL,
	"party" text NOT NULL,
	"alg" text NOT NULL,
	"jwk" jsonb NOT NULL,
	"not_before" timestamp(3) with time zone,
	"not_after" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone NOT NULL,
	"revoked_at" timestamp(3) with time zone,
	"revoked_reason" text
);
--> statement-breakpoint
CREATE TABLE "registration" (
	"filer" text NOT NULL,
	"office" text NOT NULL,
	"valid_from" text NOT NULL,
	"valid_to" text,
	"withdrawn" boolean DEFAULT false NOT NULL,
	CONSTRAINT "registration_pk" PRIMARY KEY("filer","office","valid_from")
);
--> statement-breakpoint
CREATE TABLE "used_assertion" (
	"client" text NOT NULL,
	"jti" text NOT NULL,
	"expires_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "used_assertion_pk" PRIMARY KEY("client","jti")
);
--> statement-breakpoint
CREATE TABLE "batch" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"consumer" text NOT NULL,
	"id" uuid NOT NULL,
	"from_index" bigint NOT NULL,
	"to_index" bigint NOT NULL,
	"state" text NOT NULL,
	"attempts" integer NOT NULL,
	"expires_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "batch_pk" PRIMARY KEY("lane","office","consumer","id")
);
--> statement-breakpoint
CREATE TABLE "checkpoint" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"size" bigint NOT NULL,
	"root" "bytea" NOT NULL,
	"note" text NOT NULL,
	"signed_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "checkpoint_pk" PRIMARY KEY("lane","office","size")
);
--> statement-breakpoint
CREATE TABLE "consumer" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"name" text NOT NULL,
	"cursor" bigint NOT NULL,
	"leased" bigint NOT NULL,
	"acked_at" timestamp(3) with time zone,
	CONSTRAINT "consumer_pk" PRIMARY KEY("lane","office","name")
);
--> statement-breakpoint
CREATE TABLE "office_tree" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"size" bigint NOT NULL,
	CONSTRAINT "office_tree_pk" PRIMARY KEY("lane","office")
);
--> statement-breakpoint
CREATE TABLE "tile" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"level" smallint NOT NULL,
	"n" bigint NOT NULL,
	"hashes" "bytea" NOT NULL,
	CONSTRAINT "tile_pk" PRIMARY KEY("lane","office","level","n")
);
--> statement-breakpoint
CREATE INDEX "batch_open" ON "batch" USING btree ("lane","office","consumer") WHERE state = 'leased';--> statement-breakpoint
CREATE INDEX "mandate_agent_filer" ON "mandate" USING btree ("agent","filer");--> statement-breakpoint
CREATE INDEX "party_key_party" ON "party_key" USING btree ("party");--> statement-breakpoint
CREATE INDEX "used_assertion_expiry" ON "used_assertion" USING btree ("expires_at");--> statement-breakpoint
ALTER TABLE "filing" ALTER COLUMN "content" SET STORAGE EXTERNAL;
--> statement-breakpoint
ALTER TABLE "office_head" SET (fillfactor = 50);
--> statement-breakpoint
INSERT INTO "identity_head" ("one", "n") VALUES (1, 0);
