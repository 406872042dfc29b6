CREATE TABLE "filing_finding" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"idx" bigint NOT NULL,
	"findings" jsonb NOT NULL,
	"found_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "filing_finding_pk" PRIMARY KEY("lane","office","idx")
);
--> statement-breakpoint
CREATE TABLE "office_comparison" (
	"lane" smallint NOT NULL,
	"office" text NOT NULL,
	"size" bigint NOT NULL,
	CONSTRAINT "office_comparison_pk" PRIMARY KEY("lane","office")
);
--> statement-breakpoint
CREATE TABLE "setting" (
	"kind" text NOT NULL,
	"id" text NOT NULL,
	"value" jsonb NOT NULL,
	"set_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "setting_pk" PRIMARY KEY("kind","id")
);
--> statement-breakpoint
ALTER TABLE "filing" ADD COLUMN "urgent" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "filing_urgent" ON "filing" USING btree ("lane","office","idx") WHERE urgent;