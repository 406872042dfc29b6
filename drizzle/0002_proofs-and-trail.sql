CREATE TABLE "cosignature" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"size" bigint NOT NULL,
	"kid" text NOT NULL,
	"line" text NOT NULL,
	"cosigned_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "cosignature_pk" PRIMARY KEY("lane","office","size","kid")
);
--> statement-breakpoint
CREATE TABLE "national_entry" (
	"lane" smallint NOT NULL,
	"idx" bigint NOT NULL,
	"kind" text NOT NULL,
	"office" text NOT NULL,
	"text" text NOT NULL,
	"leaf" "bytea" NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "national_entry_pk" PRIMARY KEY("lane","idx")
);
--> statement-breakpoint
CREATE TABLE "recovery" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"kept_size" bigint NOT NULL,
	"kept_root" "bytea" NOT NULL,
	"lost_size" bigint NOT NULL,
	"lost_root" "bytea" NOT NULL,
	"reason" text NOT NULL,
	CONSTRAINT "recovery_pk" PRIMARY KEY("lane","office","at")
);
--> statement-breakpoint
CREATE TABLE "trail" (
	"lane" smallint NOT NULL,
	"n" bigint NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"role" text NOT NULL,
	"party" text NOT NULL,
	"action" text NOT NULL,
	"target" text NOT NULL,
	"result" text NOT NULL,
	"request" text NOT NULL,
	"details" jsonb,
	"hash" "bytea" NOT NULL,
	CONSTRAINT "trail_pk" PRIMARY KEY("lane","n")
);
--> statement-breakpoint
CREATE TABLE "trail_head" (
	"lane" smallint NOT NULL,
	"n" bigint NOT NULL,
	"hash" "bytea" NOT NULL,
	CONSTRAINT "trail_head_pk" PRIMARY KEY("lane")
);
--> statement-breakpoint
ALTER TABLE "mandate" ADD COLUMN "jws" text;--> statement-breakpoint
ALTER TABLE "mandate" ADD COLUMN "signed_at" timestamp(3) with time zone;--> statement-breakpoint
CREATE INDEX "national_entry_office" ON "national_entry" USING btree ("lane","office","kind","idx");--> statement-breakpoint
CREATE INDEX "trail_party" ON "trail" USING btree ("lane","party","n");--> statement-breakpoint
CREATE INDEX "trail_target" ON "trail" USING btree ("lane","target","n");